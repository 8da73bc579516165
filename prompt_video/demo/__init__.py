"""What ``prompt-video demo`` runs and shows."""
