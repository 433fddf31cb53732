"""The U-Net of Ronneberger, Fischer and Brox (2015, arXiv 1505.04597), written from scratch.

Departures from the paper, each usual today: convolutions are padded by 1, so that the output has the input's
size; BatchNorm follows each convolution; the input has 3 channels; there is no dropout.

Parameters at width 64: 31,037,698 with transposed convolutions, 28,948,738 with bilinear upsampling.
"""

from typing import Literal

import torch
from torch import Tensor, nn

LEVELS = 5


class DoubleConv(nn.Sequential):
    """Two 3×3 convolutions: (B, in, H, W) → (B, out, H, W)."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(
            nn.Conv2d(n_in, n_out, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(n_out, n_out, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(inplace=True),
        )


class Up(nn.Module):
    """One step of the expanding path: upsample ×2, halve the channels, join the skip connection, convolve.

    (B, 2c, h, w) and skip (B, c, 2h, 2w) → (B, c, 2h, 2w). `transposed` learns the upsampling (kernel 2, stride 2);
    `bilinear` interpolates and halves the channels with a 1×1 convolution.
    """

    def __init__(self, channels: int, upsampling: Literal["transposed", "bilinear"]) -> None:
        super().__init__()
        self.upsample: nn.Module
        if upsampling == "transposed":
            self.upsample = nn.ConvTranspose2d(2 * channels, channels, kernel_size=2, stride=2)
        else:
            self.upsample = nn.Sequential(
                nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
                nn.Conv2d(2 * channels, channels, kernel_size=1),
            )
        self.convolve = DoubleConv(2 * channels, channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        joined: Tensor = self.convolve(torch.cat([skip, self.upsample(x)], dim=1))
        return joined


class UNet(nn.Module):
    """Images (B, 3, H, W) → logits (B, 2, H, W); H and W are multiples of 16.

    Channels double from `width` to 16 × `width` over five levels (64 to 1024 in the paper), halving the size each
    time by max pooling. A softmax over dimension 1 gives the probabilities of background and foreground.
    """

    def __init__(self, upsampling: Literal["transposed", "bilinear"], width: int = 64) -> None:
        super().__init__()
        channels = [width * 2**level for level in range(LEVELS)]
        self.down = nn.ModuleList(DoubleConv(a, b) for a, b in zip([3, *channels[:-1]], channels, strict=True))
        self.pool = nn.MaxPool2d(kernel_size=2)
        self.up = nn.ModuleList(Up(c, upsampling) for c in reversed(channels[:-1]))
        self.head = nn.Conv2d(width, 2, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        skips: list[Tensor] = []
        for level, convolve in enumerate(self.down):
            x = convolve(self.pool(x) if level else x)
            skips.append(x)
        x = skips.pop()
        for step in self.up:
            x = step(x, skips.pop())
        logits: Tensor = self.head(x)
        return logits
