"""``torch.utils.model_zoo``: the former home of `torch.hub.load_state_dict_from_url`."""

from torchlike.hub import load_state_dict_from_url, tqdm

load_url = load_state_dict_from_url
__all__ = ["load_state_dict_from_url", "load_url", "tqdm"]
