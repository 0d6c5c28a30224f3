"""Networks of the toy encoders: a residual ConvNet (images, log-mel spectrograms) and a text transformer."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipsonic_eval.encoders.toy.tokenizer import MAX_TOKENS, PAD


class _Block(nn.Module):
    """Two convolutions with batch normalisation; the first may halve the resolution; residual."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)
        self.skip = nn.Conv2d(width_in, width, 1, bias=False) if width_in != width or stride > 1 else None
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.first_norm(self.first(x)))
        y = self.second_norm(self.second(y))
        if self.skip is not None:
            x = self.skip(F.avg_pool2d(x, self.stride) if self.stride > 1 else x)
        return F.relu(x + y)


class _ConvTower(nn.Module):
    """(b, channels, height, width) -> (b, features): stem, residual blocks, mean and maximum pooling.

    Args:
        channels: of the input: 3 for images, 1 for log-mel spectrograms.
        widths: of the stem and of each block, which halves the resolution.
        stride: of the stem.
    """

    def __init__(self, channels: int, widths: Sequence[int], stride: int = 4) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, widths[0], stride + 2, stride, 1, bias=False)
        self.stem_norm = nn.BatchNorm2d(widths[0])
        self.blocks = nn.ModuleList(_Block(a, b, 2) for a, b in itertools.pairwise(widths))
        self.features = 2 * widths[-1]

    def forward(self, x: Tensor) -> Tensor:
        """Return the pooled features, (b, features)."""
        x = F.relu(self.stem_norm(self.stem(x)))
        for block in self.blocks:
            x = block(x)
        return torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)


class _TextTower(nn.Module):
    """Token ids (b, 32) -> (b, width): pre-norm transformer, read at the start token as CLIP is at its end token.

    Args:
        vocabulary: number of tokens.
        width: of the residual stream.
        layers: blocks.
    """

    def __init__(self, vocabulary: int, width: int, layers: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.places = nn.Parameter(0.01 * torch.randn(MAX_TOKENS, width))
        nn.init.normal_(self.words.weight, std=0.02)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, max(1, width // 32), 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the state at the start token, (b, width)."""
        # only as many positions as the longest text of the batch has; padding is masked, so that a text does not depend
        # on its batch
        empty = tokens == PAD
        used = int((~empty).sum(dim=1).max())
        x = self.words(tokens[:, :used]) + self.places[:used]
        mask = torch.zeros(x.shape[:2], dtype=x.dtype, device=x.device).masked_fill(empty[:, :used], float("-inf"))
        for block in self.blocks:
            x = block(x, src_key_padding_mask=mask)
        return self.norm(x[:, 0])


class ContrastiveNetwork(nn.Module):
    """Two towers with a linear projection each into one space: CLIP (images and texts) or CLAP (audio and texts).

    Args:
        channels: of the input of the convolutional tower: 3 for images, 1 for log-mel spectrograms.
        widths: of its stem and blocks.
        text_width: of the text transformer.
        text_layers: of the text transformer.
        dim: of the shared space.
        vocabulary: number of tokens.
        stride: of the convolutional tower's stem.
    """

    def __init__(
        self,
        channels: int,
        widths: Sequence[int],
        text_width: int,
        text_layers: int,
        dim: int,
        vocabulary: int,
        stride: int = 4,
    ) -> None:
        super().__init__()
        self.sense = _ConvTower(channels, widths, stride)
        self.sense_norm = nn.LayerNorm(self.sense.features)
        self.sense_projection = nn.Linear(self.sense.features, dim, bias=False)
        self.text = _TextTower(vocabulary, text_width, text_layers)
        self.text_projection = nn.Linear(text_width, dim, bias=False)

    def embed_media(self, x: Tensor) -> Tensor:
        """Return unit vectors of images (b, 3, 48, 48) or log-mel spectrograms (b, 1, 64, 96), (b, dim)."""
        return F.normalize(self.sense_projection(self.sense_norm(self.sense(x))).float(), dim=1)

    def embed_text(self, tokens: Tensor) -> Tensor:
        """Return unit vectors of texts, token ids (b, 32) -> (b, dim)."""
        return F.normalize(self.text_projection(self.text(tokens)).float(), dim=1)


class AudioNetwork(nn.Module):
    """Log-mel spectrogram -> features -> heads for the class, the size and the count.

    Args:
        widths: of stem and blocks.
        dim: of the features.
        classes: number of classes.
    """

    def __init__(self, widths: Sequence[int], dim: int, classes: int) -> None:
        super().__init__()
        self.sense = _ConvTower(1, widths)
        self.squeeze = nn.Linear(self.sense.features, dim)
        self.classes = nn.Linear(dim, classes)
        self.size = nn.Linear(dim, 1)
        self.count = nn.Linear(dim, 3)

    def features(self, x: Tensor) -> Tensor:
        """Return features, not normalised: log-mel spectrograms (b, 1, 64, 96) -> (b, dim)."""
        return self.squeeze(self.sense(x))
