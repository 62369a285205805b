"""Which of this process's environment variables a worker is given: a short list, never all of them."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping

_SYSTEM = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TEMP", "TMP", "TZ", "LD_LIBRARY_PATH"),
    *("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_COLLATE", "LC_MESSAGES", "LC_NUMERIC", "LC_TIME"),
    *("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"),
)
_NETWORK = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
)
_GPU = (
    *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_HOME", "CUDA_PATH", "CUDA_CACHE_PATH", "CUDA_CACHE_MAXSIZE"),
    *("CUDA_MODULE_LOADING", "CUDA_LAUNCH_BLOCKING", "CUDA_MPS_PIPE_DIRECTORY", "CUBLAS_WORKSPACE_CONFIG"),
    "NVIDIA_VISIBLE_DEVICES",
    *("NVIDIA_DRIVER_CAPABILITIES", "NVIDIA_TF32_OVERRIDE", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"),
    *("ROCM_PATH", "HSA_OVERRIDE_GFX_VERSION", "PYOPENGL_PLATFORM", "EGL_PLATFORM", "__EGL_VENDOR_LIBRARY_FILENAMES"),
)
# Parts of these projects are compiled when they are first used.
_COMPILING = (
    *("CC", "CXX", "CPATH", "LIBRARY_PATH", "MAX_JOBS", "TORCH_CUDA_ARCH_LIST", "TORCH_EXTENSIONS_DIR"),
    *("TCNN_CUDA_ARCHITECTURES", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "NUMBA_CACHE_DIR"),
)
_LIBRARIES = (
    *("PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF", "TORCH_HOME", "MPLCONFIGDIR", "U2NET_HOME"),
    *("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_XET_CACHE", "HF_ASSETS_CACHE", "HF_MODULES_CACHE"),
    *("TRANSFORMERS_CACHE", "DIFFUSERS_CACHE", "HF_ENDPOINT", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"),
    *("DIFFUSERS_OFFLINE", "HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT", "HF_HUB_DISABLE_XET"),
    *("HF_HUB_ENABLE_HF_TRANSFER", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS"),
)

PASSED = frozenset((*_SYSTEM, *_NETWORK, *_GPU, *_COMPILING, *_LIBRARIES))
"""Whole names, since what begins alike may be a secret: NVIDIA_API_KEY, HF_TOKEN."""

TOKENS = ("HF_TOKEN", "HF_TOKEN_PATH", "HUGGING_FACE_HUB_TOKEN")
"""What the libraries of the Hugging Face Hub take a token from, besides the file of `hf auth login`."""

_NO_TOKEN = {"HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}


def passed(more: Collection[str] = (), token: bool = False) -> tuple[str, ...]:
    """Names of this process's variables that a worker gets, sorted.

    Args:
        more: names that its backend asks for besides.
        token: whether it may ask the Hub in the user's name.
    """
    wanted = {*PASSED, *more, *(TOKENS if token else ())}
    return tuple(sorted(wanted & set(os.environ)))


def worker_environment(extra: Mapping[str, str], more: Collection[str] = (), token: bool = False) -> dict[str, str]:
    """The whole environment of a worker: `passed` and, on top, `extra`.

    Without `token` the libraries of the Hub leave the one of `hf auth login` alone too, unless they are told to use it.
    """
    own = {name: os.environ[name] for name in passed(more, token)}
    return {**own, "PYTHONUNBUFFERED": "1", **({} if token else _NO_TOKEN), **extra}
