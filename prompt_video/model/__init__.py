"""VideoTextModel and what it is made of: prompts, text heads, temporal encoder, losses, saving."""
