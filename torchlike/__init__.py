"""PyTorch's API and its define-by-run semantics, running on jax: ``import torchlike as torch``."""

from math import e, inf, nan, pi

import torchlike as torch
from torchlike import (
    _documented,
    amp,
    autograd,
    backends,
    compiler,
    cuda,
    distributions,
    fft,
    func,
    fx,
    linalg,
    masked,
    nn,
    optim,
    overrides,
    random,
    serialization,
    signal,
    special,
    storage,
    testing,
    torch_version,
    types,
    utils,
    version,
)
from torchlike._alias import as_torch, install_as_torch, uninstall_as_torch
from torchlike._compile import compile
from torchlike._construct import as_tensor, asarray, from_dlpack, from_numpy, frombuffer, tensor
from torchlike._control import *
from torchlike._core.device import device, get_default_device, set_default_device
from torchlike._core.dtype import *
from torchlike._core.generator import Generator, default_generator
from torchlike._core.layout import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    layout,
    memory_format,
    preserve_format,
    sparse_coo,
    strided,
)
from torchlike._core.promote import can_cast, promote_types, result_type
from torchlike._core.size import Size
from torchlike._foreach import *
from torchlike._layers import *
from torchlike._legacy import *
from torchlike._losses import *
from torchlike._native_layers import *
from torchlike._printing import set_printoptions
from torchlike._recurrent import gru, gru_cell, lstm, lstm_cell, rnn_relu, rnn_relu_cell, rnn_tanh, rnn_tanh_cell
from torchlike._settings import *
from torchlike._tensor import Tensor
from torchlike.amp.autocast_mode import (
    autocast,
    get_autocast_dtype,
    is_autocast_cache_enabled,
    is_autocast_enabled,
    set_autocast_cache_enabled,
    set_autocast_dtype,
    set_autocast_enabled,
)
from torchlike.amp.grad_scaler import GradScaler
from torchlike.autograd import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from torchlike.autograd.anomaly_mode import is_anomaly_check_nan_enabled, is_anomaly_enabled
from torchlike.cuda.amp import autocast as _former_autocast  # so that torch.cuda.amp is there
from torchlike.func._vmap import vmap
from torchlike.ops._public import *
from torchlike.ops.inplace import *
from torchlike.ops.sampling import _sample_dirichlet, _standard_gamma
from torchlike.random import get_rng_state, initial_seed, manual_seed, seed, set_rng_state
from torchlike.serialization import load, save
from torchlike.storage import (
    BFloat16Storage,
    BoolStorage,
    ByteStorage,
    CharStorage,
    ComplexDoubleStorage,
    ComplexFloatStorage,
    DoubleStorage,
    FloatStorage,
    HalfStorage,
    IntStorage,
    LongStorage,
    ShortStorage,
    TypedStorage,
    UntypedStorage,
)
from torchlike.utils.dlpack import to_dlpack
from torchlike.version import __version__

# isort: split
from torchlike import (  # after what it names, which is imported in its own order
    _C,
    _custom_ops,
    _dynamo,
    _jit_internal,
    _subclasses,
    accelerator,
    ao,
    cpu,
    distributed,
    futures,
    hub,
    jit,
    library,
    mps,
    multiprocessing,
    onnx,
    profiler,
    xpu,
)
from torchlike._device_module import get_device_module
from torchlike._library.tags import Tag
