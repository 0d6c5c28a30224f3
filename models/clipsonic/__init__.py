"""CLIPSonic: text-to-audio learned from unlabeled videos and a pretrained language-vision model."""
