"""Small pipelines of published systems with random weights, in folders as they are published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AudioLDM2Pipeline,
    AudioLDM2ProjectionModel,
    AudioLDM2UNet2DConditionModel,
    AutoencoderKL,
    AutoencoderOobleck,
    AutoencoderSAME,
    DDIMScheduler,
    EDMDPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    StableAudio3DiTModel,
    StableAudio3Pipeline,
    StableAudioDiTModel,
    StableAudioPipeline,
    StableAudioProjectionModel,
)
from diffusers.pipelines.stable_audio_3 import StableAudio3DurationEmbedder
from transformers import (
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    GemmaTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    RobertaTokenizer,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
    T5Config,
    T5EncoderModel,
    T5GemmaConfig,
    T5GemmaEncoderModel,
    T5Tokenizer,
)

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def t5(d: int) -> tuple[Any, Any]:
    """A text encoder and its tokenizer of letters."""
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    tokenizer = T5Tokenizer(vocab=[*special, *((x, -3.0) for x in LETTERS)], extra_ids=0, model_max_length=25)
    config = T5Config(vocab_size=len(tokenizer), d_model=d, d_ff=37, d_kv=8, num_heads=2, num_layers=2)
    return T5EncoderModel(config), tokenizer


def roberta() -> Any:
    words = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "Ġ", *LETTERS]
    return RobertaTokenizer(vocab={word: k for k, word in enumerate(words)}, merges=[], model_max_length=25)


def clap() -> Any:
    text = {
        "vocab_size": 40, "hidden_size": 16, "intermediate_size": 37, "num_attention_heads": 2, "num_hidden_layers": 2,
        "max_position_embeddings": 80, "projection_dim": 16,
    }  # fmt: skip
    audio = {
        "spec_size": 64, "window_size": 4, "num_mel_bins": 64, "depths": [2, 2], "num_attention_heads": [2, 2],
        "hidden_size": 32, "patch_embeds_hidden_size": 16, "projection_dim": 16, "patch_size": 2,
        "patch_stride": [2, 2],
    }  # fmt: skip
    return ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=16))


def write_audioldm2(folder: Path) -> Path:
    """Write an AudioLDM 2 of 16 kHz: mel spectrograms of 8 bands and a hop of 160, as published but for the sizes."""
    torch.manual_seed(0)
    text_encoder_2, tokenizer_2 = t5(32)
    language = GPT2Config(n_embd=16, n_head=2, n_layer=2, vocab_size=40, n_positions=99)
    vocoder = SpeechT5HifiGanConfig(
        model_in_dim=8, sampling_rate=16000, upsample_initial_channel=64, upsample_rates=[5, 4, 2, 2, 2],
        upsample_kernel_sizes=[16, 16, 8, 4, 4], resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1, 3, 5]],
        normalize_before=False,
    )  # fmt: skip
    pipeline = AudioLDM2Pipeline(
        vae=AutoencoderKL(
            block_out_channels=(32, 64), in_channels=1, out_channels=1, latent_channels=4, norm_num_groups=8,
            down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        ),
        text_encoder=clap(),
        text_encoder_2=text_encoder_2,
        projection_model=AudioLDM2ProjectionModel(16, 32, 16),
        language_model=GPT2LMHeadModel(language),
        tokenizer=roberta(),
        tokenizer_2=tokenizer_2,
        feature_extractor=ClapFeatureExtractor(),
        unet=AudioLDM2UNet2DConditionModel(
            block_out_channels=(32, 64), layers_per_block=1, sample_size=32, in_channels=4, out_channels=4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), norm_num_groups=8,
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=([None, 16, 32], [None, 16, 32]),
        ),
        scheduler=DDIMScheduler(
            beta_start=0.0015, beta_end=0.0195, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False
        ),
        vocoder=SpeechT5HifiGan(vocoder),
    )  # fmt: skip
    pipeline.save_pretrained(folder)
    config = folder / "language_model" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"max_new_tokens": 4}))
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-sa-4.0\n---\n")
    return folder


def write_stable_audio(folder: Path) -> Path:
    """Write a Stable Audio of 1600 Hz, stereo, at most 0.5 s; the sampler is one without noise."""
    torch.manual_seed(0)
    text_encoder, tokenizer = t5(32)
    pipeline = StableAudioPipeline(
        vae=AutoencoderOobleck(
            encoder_hidden_size=6, downsampling_ratios=[2, 4], decoder_channels=8, decoder_input_channels=4,
            audio_channels=2, channel_multiples=[1, 2], sampling_rate=1600,
        ),
        text_encoder=text_encoder,
        projection_model=StableAudioProjectionModel(
            text_encoder_dim=32, conditioning_dim=8, min_value=0, max_value=32
        ),
        tokenizer=tokenizer,
        transformer=StableAudioDiTModel(
            sample_size=100, in_channels=4, num_layers=2, attention_head_dim=8, num_attention_heads=2,
            num_key_value_attention_heads=1, out_channels=4, cross_attention_dim=8, time_proj_dim=8,
            global_states_input_dim=16, cross_attention_input_dim=8,
        ),
        scheduler=EDMDPMSolverMultistepScheduler(
            solver_order=2, prediction_type="v_prediction", sigma_data=1.0, sigma_schedule="exponential"
        ),
    )  # fmt: skip
    pipeline.save_pretrained(folder)
    front = "license: other\nlicense_name: stable-audio-community"
    (folder / "README.md").write_text(f"---\n{front}\n---\n")
    return folder


def write_stable_audio_3(folder: Path) -> Path:
    """Write a distilled Stable Audio 3 of 1600 Hz, stereo."""
    torch.manual_seed(0)
    words = ["<pad>", "<eos>", "<bos>", "<unk>", "▁", *LETTERS]
    text = {
        "vocab_size": len(words), "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "head_dim": 8,
        "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 64, "sliding_window": 32,
    }  # fmt: skip
    pipeline = StableAudio3Pipeline(
        vae=AutoencoderSAME(
            patch_size=8, encoder_channels=8, encoder_c_mults=(2,), encoder_strides=(4,), latent_dim=4, dim_heads=8,
            encoder_transformer_depths=(1,), encoder_sinusoidal_blocks=(0,), decoder_sinusoidal_blocks=(0,),
            sampling_rate=1600,
        ),
        text_encoder=T5GemmaEncoderModel(T5GemmaConfig(encoder=text, decoder=text, is_encoder_decoder=False)),
        tokenizer=GemmaTokenizer(vocab={word: k for k, word in enumerate(words)}, merges=[], model_max_length=25),
        duration_embedder=StableAudio3DurationEmbedder(output_dim=16, fourier_dim=8),
        transformer=StableAudio3DiTModel(
            io_channels=4, embed_dim=16, depth=1, num_heads=2, cond_token_dim=16, global_cond_dim=16,
            local_add_cond_dim=5, timestep_features_dim=8, num_memory_tokens=2,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(stochastic_sampling=True),
    )  # fmt: skip
    with torch.no_grad():
        for network in (pipeline.vae, pipeline.transformer):
            for parameter in network.parameters():  # some begin at zero, and every sound would be the same
                parameter.add_(0.1 * torch.randn_like(parameter))
    pipeline.save_pretrained(folder)
    front = "license: other\nlicense_name: stability-ai-community"
    (folder / "README.md").write_text(f"---\n{front}\n---\n")
    return folder
