"""Networks that run without torch: `convolution` is their layer, `unet` the U-net of `relief` and DraViE."""
