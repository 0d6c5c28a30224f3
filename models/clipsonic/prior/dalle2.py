"""The diffusion prior of DALLE2-pytorch, the network of LAION's published prior (101.8 M weights at its size).

A causal transformer over the hidden states of the text, its embedding, the time step, the noisy image embedding and a
learned query, whose output is the predicted clean embedding. Attention has one key and value for all heads and a
null key, compares by cosine, and knows distances by rotary embeddings and a learned bias. The tensors keep the names of
the published files; called and stored like the ``PriorTransformer`` of diffusers.

Source: ``DiffusionPriorNetwork`` of the package dalle2-pytorch 1.15 (MIT), against which tests/reference judges it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

_BUCKETS, _FARTHEST = 32, 128  # of the bias by distance
_SCALE = 16.0  # of the cosine of query and key


class _Predicted(NamedTuple):
    predicted_image_embedding: torch.Tensor


class _GainNorm(nn.Module):
    """Layer normalisation without a bias; ``stable`` divides by the largest value first."""

    def __init__(self, dim: int, *, stable: bool = False) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(dim))
        self._stable = stable

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self._stable:
            x = x / x.amax(dim=-1, keepdim=True)
        return F.layer_norm(x, x.shape[-1:], self.g)  # (x − μ) / √(σ² + 1e-5) · g


class _SwiGLU(nn.Module):
    """(…, 2d) -> (…, d): x · silu(g) of the two halves."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        value, gate = x.chunk(2, dim=-1)
        return value * F.silu(gate)


class _OneKeyAttention(nn.Module):
    """Causal self-attention (b, n, d) -> (b, n, d) with one key and value for all heads, and a null key before them."""

    def __init__(self, dim: int, heads: int, head_dim: int) -> None:
        super().__init__()
        self._heads = heads
        self.norm = _GainNorm(dim)
        self.null_kv = nn.Parameter(torch.randn(2, head_dim))
        self.to_q = nn.Linear(dim, heads * head_dim, bias=False)
        self.to_kv = nn.Linear(dim, 2 * head_dim, bias=False)
        self.to_out = nn.Sequential(nn.Linear(heads * head_dim, dim, bias=False), _GainNorm(dim))

    def forward(self, x: torch.Tensor, bias: torch.Tensor, freqs: torch.Tensor | None) -> torch.Tensor:
        """Attend with a bias (heads, n, 1 + n) on the scores and rotary frequencies (r / 2,) or none."""
        b, n, _ = x.shape
        x = self.norm(x)
        q = self.to_q(x).view(b, n, self._heads, -1).transpose(1, 2)
        k, v = self.to_kv(x)[:, None].chunk(2, dim=-1)
        if freqs is not None:
            q, k = _rotated(q, freqs), _rotated(k, freqs)
        null_k, null_v = self.null_kv[:, None, None, None].expand(2, b, 1, 1, -1)
        q, k = F.normalize(q, dim=-1), F.normalize(torch.cat([null_k, k], dim=2), dim=-1)
        k, v = (part.expand(-1, self._heads, -1, -1) for part in (k, torch.cat([null_v, v], dim=2)))
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=_SCALE)  # softmax(16 cos(q, k) + bias) v
        return self.to_out(mixed.transpose(1, 2).reshape(b, n, -1))


def _rotated(x: torch.Tensor, freqs: torch.Tensor) -> torch.Tensor:
    """Return x (b, h, n, d) with the first r dimensions, neighbours as pairs, turned by position times ``freqs``."""
    r = 2 * len(freqs)
    angles = torch.arange(x.shape[2], device=x.device, dtype=freqs.dtype)[:, None] * freqs  # m θ_i
    pairs = x[..., :r].unflatten(-1, (-1, 2))
    cos, sin = angles.cos(), angles.sin()
    turned = torch.stack([pairs[..., 0] * cos - pairs[..., 1] * sin, pairs[..., 1] * cos + pairs[..., 0] * sin], dim=-1)
    return torch.cat([turned.flatten(-2), x[..., r:]], dim=-1)


class _DistanceBias(nn.Module):
    """Bias of the attention by distance: a learned value per head and bucket, buckets logarithmic from 16 on (T5)."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.relative_attention_bias = nn.Embedding(_BUCKETS, heads)

    def forward(self, n: int) -> torch.Tensor:
        """Return (heads, n, 1 + n): the null key first, −∞ on later keys."""
        weight = self.relative_attention_bias.weight
        query, key = (torch.arange(size, device=weight.device) for size in (n, n + 1))
        distance = (query[:, None] - key).clamp(min=0)
        exact = _BUCKETS // 2
        steps = torch.log(distance.clamp(min=1).float() / exact) / math.log(_FARTHEST / exact) * (_BUCKETS - exact)
        far = (exact + steps.long()).clamp(max=_BUCKETS - 1)
        bias = weight[torch.where(distance < exact, distance, far)].permute(2, 0, 1)
        later = key > query[:, None] + 1  # the null key stands at 0, so that key j + 1 is position j
        return bias.masked_fill(later, -torch.inf)


class _CausalTransformer(nn.Module):
    def __init__(
        self, dim: int, layers: int, heads: int, head_dim: int, ff_mult: int, norms: tuple[bool, bool, bool], *,
        project: bool, rotary: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        norm_in, norm_out, norm_inner = norms
        inner = ff_mult * dim
        self.init_norm = _GainNorm(dim) if norm_in else nn.Identity()
        self.rel_pos_bias = _DistanceBias(heads)
        r = min(32, head_dim)
        # θ_i = 10000^(−2 i / r)
        freqs = 10000.0 ** (-torch.arange(0, r, 2, dtype=torch.float32) / r) if rotary else None
        self.register_buffer("freqs", freqs)
        self.layers = nn.ModuleList(
            nn.ModuleList([
                _OneKeyAttention(dim, heads, head_dim),
                nn.Sequential(
                    _GainNorm(dim),
                    nn.Linear(dim, 2 * inner, bias=False),
                    _SwiGLU(),
                    _GainNorm(inner) if norm_inner else nn.Identity(),
                    nn.Identity(),  # dropout in training
                    nn.Linear(inner, dim, bias=False),
                ),
            ])
            for _ in range(layers)
        )  # fmt: skip
        self.norm = _GainNorm(dim, stable=True) if norm_out else nn.Identity()
        self.project_out = nn.Linear(dim, dim, bias=False) if project else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(b, n, d) -> (b, n, d)."""
        bias = self.rel_pos_bias(x.shape[1])
        x = self.init_norm(x)
        for layer in self.layers:
            x = x + layer[0](x, bias, self.freqs)  # type: ignore[index]
            x = x + layer[1](x)  # type: ignore[index]
        return self.project_out(self.norm(x))


class Dalle2Prior(ModelMixin, ConfigMixin):
    """The network; sizes as in ``prior_config.json``, under the names that ``PriorTransformer`` gives them.

    Args:
        embedding_dim: d, of the embeddings and of the transformer.
        num_layers: depth.
        num_attention_heads: heads.
        attention_head_dim: width of a head.
        num_embeddings: hidden states of the text that enter; 0: none, as where ``condition_on_text_encodings`` is off.
        max_text_len: places for them; those without text hold learned vectors.
        ff_mult: width of the feed-forward layers over d.
        num_timesteps: T, of the noise schedule.
        norm_in: normalise what enters.
        norm_out: normalise what leaves.
        normformer: normalise inside the feed-forward layers.
        final_proj: project what leaves.
        rotary_emb: rotary embeddings.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(  # noqa: PLR0913, PLR0917 -- diffusers' ConfigMixin records exactly these
        self,
        embedding_dim: int = 768,
        num_layers: int = 12,
        num_attention_heads: int = 12,
        attention_head_dim: int = 64,
        num_embeddings: int = 77,
        max_text_len: int = 77,
        ff_mult: int = 4,
        num_timesteps: int = 1000,
        norm_in: bool = False,
        norm_out: bool = True,
        normformer: bool = True,
        final_proj: bool = True,
        rotary_emb: bool = True,
    ) -> None:
        super().__init__()
        d = embedding_dim
        self.to_time_embeds = nn.Sequential(nn.Embedding(num_timesteps, d))
        self.learned_query = nn.Parameter(torch.randn(d))
        self.null_text_encodings = nn.Parameter(torch.randn(1, max_text_len, d))
        norms = (norm_in, norm_out, normformer)
        self.causal_transformer = _CausalTransformer(
            d,
            num_layers,
            num_attention_heads,
            attention_head_dim,
            ff_mult,
            norms,
            project=final_proj,
            rotary=rotary_emb,
        )
        self.register_buffer("clip_mean", torch.zeros(1, d))
        self.register_buffer("clip_std", torch.full((1, d), d**-0.5))

    def forward(
        self,
        hidden_states: torch.Tensor,
        timestep: torch.Tensor,
        proj_embedding: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
    ) -> _Predicted:
        """Predict the clean embedding.

        Args:
            hidden_states: x_t, (b, d).
            timestep: (b,) or ().
            proj_embedding: text embeddings (b, d) of L2 norm 1.
            encoder_hidden_states: (b, m, d), the first ``max_text_len`` of which are used.
            attention_mask: (b, m) bool, true where there is text.

        Returns:
            x̂_0, (b, d).
        """
        b = len(hidden_states)
        text = self.null_text_encodings.expand(b, -1, -1)
        if encoder_hidden_states is not None and attention_mask is not None:
            m = min(encoder_hidden_states.shape[1], text.shape[1])
            given = torch.where(attention_mask[:, :m, None], encoder_hidden_states[:, :m], text[:, :m])
            text = torch.cat([given, text[:, m:]], dim=1)
        time = self.to_time_embeds(timestep.long().expand(b))
        query = self.learned_query.expand(b, -1)
        rest = torch.stack([proj_embedding, time, hidden_states, query], dim=1)
        return _Predicted(self.causal_transformer(torch.cat([text, rest], dim=1))[:, -1])

    def post_process_latents(self, prior_latents: torch.Tensor) -> torch.Tensor:
        """Return embeddings (b, d) at CLIP's scale: x_0 / √d, unless the configuration says another scale."""
        return prior_latents * self.clip_std + self.clip_mean
