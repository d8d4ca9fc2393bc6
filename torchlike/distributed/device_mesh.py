"""``torch.distributed.device_mesh``: names to ask about."""

from torchlike.distributed._unmade import absent_class, absent_function

_HOME = "torch.distributed.device_mesh"
DeviceMesh = absent_class(_HOME, "DeviceMesh")
init_device_mesh = absent_function(_HOME, "init_device_mesh")
__all__ = ["DeviceMesh", "init_device_mesh"]
