"""The reader's network: one grey crop in, per-character logits and jurisdiction logits out.

Convolutions make two rows of column features (upper and lower half of the plate); the rows are laid
end to end and a small transformer decides, before CTC, which features are serial characters and
which are state names, stickers or frames. Laying rows end to end is what lets CTC, which reads one
line, read two-line plates.

This file imports torch alone: its text is also shipped as EasyOCR's network module.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

HEIGHT, WIDTH = 48, 160


def _conv(inward: int, outward: int, stride: int | tuple[int, int] = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inward, outward, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outward),
        nn.SiLU(inplace=True),
    )


class _Residual(nn.Module):  # type: ignore[misc]
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(_conv(width, width), _conv(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


class _Attention(nn.Module):  # type: ignore[misc]
    """A pre-norm transformer layer written out, so that every exporter and EasyOCR can run it."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        qkv = self.qkv(self.norm1(x)).reshape(batch, tokens, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        weights = (query @ key.transpose(-2, -1) * (width // self.heads) ** -0.5).softmax(-1)
        mixed = (weights @ value).transpose(1, 2).reshape(batch, tokens, width)
        x = x + self.drop(self.out(mixed))
        return x + self.drop(self.mlp(self.norm2(x)))


@dataclass(frozen=True)
class ReaderShape:
    """Sizes of the network; what EasyOCR's yaml repeats as `network_params`."""

    channels: tuple[int, ...] = (32, 64, 96, 160)
    width: int = 160
    layers: int = 2
    heads: int = 4
    dropout: float = 0.1
    classes: int = 37
    jurisdictions: int = 92


class ReaderNetwork(nn.Module):  # type: ignore[misc]
    """Input [B, 1, 48, 160] in -1..1; `logits` [B, 80, 37] (CTC, class 0 blank), `jurisdiction`
    [B, J]."""

    def __init__(self, shape: ReaderShape = ReaderShape()) -> None:
        super().__init__()
        a, b, c, d = shape.channels
        self.stem = nn.Sequential(_conv(1, a, 2), _conv(a, a), _conv(a, b, 2))
        self.body = nn.Sequential(
            _Residual(b), _conv(b, c, (2, 1)), _Residual(c), _conv(c, d, (2, 1)), _conv(d, d)
        )
        self.rows = nn.Conv2d(d, shape.width, (2, 1))
        columns = WIDTH // 4
        self.position = nn.Parameter(torch.randn(1, 2 * columns, shape.width) * 0.02)
        self.layers = nn.ModuleList(
            _Attention(shape.width, shape.heads, shape.dropout) for _ in range(shape.layers)
        )
        self.norm = nn.LayerNorm(shape.width)
        self.characters = nn.Linear(shape.width, shape.classes)
        self.overview = nn.Sequential(nn.Conv2d(d, 48, 1), nn.SiLU(), nn.AvgPool2d((1, 4)))
        self.jurisdiction = nn.Sequential(
            nn.Flatten(),
            nn.Linear(48 * 3 * (columns // 4), 160),
            nn.SiLU(),
            nn.Dropout(0.2),
            nn.Linear(160, shape.jurisdictions),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(self.stem(x))
        tokens = self.rows(features).flatten(2).transpose(1, 2) + self.position
        for layer in self.layers:
            tokens = layer(tokens)
        logits = self.characters(self.norm(tokens))
        return logits, self.jurisdiction(self.overview(features))


class Model(nn.Module):
    """What EasyOCR loads: num_class from its charset, sizes from plates.yaml."""

    def __init__(self, num_class: int, jurisdictions: int, **_: object) -> None:
        super().__init__()
        self.net = ReaderNetwork(ReaderShape(classes=num_class, jurisdictions=jurisdictions))

    def forward(self, x: Tensor, text: object = None) -> Tensor:
        return self.net(x)[0]
