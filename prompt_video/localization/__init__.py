"""Temporal action localization: detector, proposals, segments, suppression, files of detections."""
