"""From records to batches: sampling, windows, transforms, order of samples, dropped videos."""
