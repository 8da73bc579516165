"""Metrics that torchmetrics lacks: temporal localization as ActivityNet measures it."""
