"""The second half of Wonder3D: a surface from six views by instant-nsr-pl. Run by `wonder3d_worker.py`."""

from __future__ import annotations

import glob
import os
import shutil
import sys

CONFIG = "configs/neuralangelo-ortho-wmask.yaml"


def run(root: str, data: str, scene: str, mesh: str, seed: int) -> None:
    """Fit a scene's surface in a folder of data by ``instant-nsr-pl`` at `root`; write it as OBJ `mesh`."""
    work = os.getcwd()
    os.chdir(root)
    sys.path.insert(0, root)
    import datasets
    import pytorch_lightning
    import systems
    from omegaconf import OmegaConf
    from utils.misc import load_config

    config = load_config(CONFIG)
    config.dataset.root_dir = data
    config.dataset.scene = scene
    config.name = scene
    config.seed = seed
    config.save_dir = os.path.join(work, "surface")
    pytorch_lightning.seed_everything(seed)
    data_module = datasets.make(config.dataset.name, config.dataset)
    system = systems.make(config.system.name, config)
    # One device and no logger, checkpoint or copy of the code: they are of no use here and fill the disk.
    options = dict(
        OmegaConf.to_container(config.trainer),
        devices=1,
        accelerator="gpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        default_root_dir=work,
    )
    trainer = pytorch_lightning.Trainer(**options)
    trainer.fit(system, datamodule=data_module)
    trainer.test(system, datamodule=data_module)
    written = sorted(glob.glob(os.path.join(glob.escape(config.save_dir), "*.obj")))
    if len(written) != 1:
        raise RuntimeError("instant-nsr-pl wrote {} meshes, not one".format(len(written)))
    shutil.move(written[0], mesh)


if __name__ == "__main__":
    run(*sys.argv[1:5], int(sys.argv[5]))
