"""What data sets share: trimmed, untrimmed and captioned videos as Lightning data modules."""
