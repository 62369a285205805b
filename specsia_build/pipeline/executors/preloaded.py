"""Import before workers are forked what each would load at its first call of numba, scipy or skimage."""

from importlib import import_module

from numba.core.registry import cpu_target

for _name in ("scipy.ndimage", "scipy.sparse", "scipy.spatial", "skimage.measure"):
    import_module(_name)

cpu_target.typing_context.refresh()
cpu_target.target_context.refresh()
