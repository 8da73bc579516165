"""The settings of a small run of each task."""

RECOGNITION = """
trainer: {{accelerator: cpu, max_epochs: 2, num_sanity_val_steps: 0}}
data:
  class_path: VideoFolder
  init_args:
    root: {root}
    val_fraction: 0.25
    test_fraction: 0.25
    batch_size: 4
    num_workers: 0
    features: "off"
    num_crops: 3
    sampler: {{class_path: WindowSampler, init_args: {{num_frames: 8, strides: [1, 2], num_views: 2}}}}
model:
  class_path: RecognitionTask
  init_args:
    prompt: {{class_path: PromptLearner, init_args: {{num_prefix: 2, num_suffix: 1}}}}
    temporal: {{class_path: TemporalEncoder, init_args: {{num_layers: 1, num_heads: 4, max_frames: 8}}}}
    optimizer: {{class_path: torch.optim.AdamW, init_args: {{lr: 0.01}}}}
    frozen_share: 0.25
"""
LOCALIZATION = """
trainer: {{accelerator: cpu, max_epochs: 2, num_sanity_val_steps: 0, log_every_n_steps: 1}}
data:
  class_path: UntrimmedShapes
  init_args:
    root: {root}
    train_videos: 4
    test_videos: 3
    features_root: {features}
    frame_rate: 6
    windows: {{class_path: SlidingWindows, init_args: {{num_frames: 48, overlap: 0.5}}}}
    batch_size: 4
    num_workers: 0
model:
  class_path: LocalizationTask
  init_args:
    prompt: {{class_path: PromptLearner, init_args: {{num_prefix: 2, num_suffix: 1}}}}
    temporal: {{class_path: TemporalEncoder, init_args: {{num_layers: 1, num_heads: 4}}}}
    detector: {{class_path: ProposalDetector, init_args: {{channels: 16, num_scales: 4, num_proposals: 20}}}}
    frames_inside: 8
    optimizer: {{class_path: torch.optim.AdamW, init_args: {{lr: 0.003}}}}
    schedule: cosine
"""
RETRIEVAL = """
trainer: {{accelerator: cpu, max_epochs: 1, num_sanity_val_steps: 0, log_every_n_steps: 1}}
data:
  class_path: CaptionedShapes
  init_args:
    root: {root}
    train_videos: 4
    val_videos: 0
    test_videos: 2
    features_root: {features}
    frame_rate: 12
    sampler: {{class_path: SegmentSampler, init_args: {{num_frames: 6}}}}
    batch_size: 4
    num_workers: 0
model:
  class_path: RetrievalTask
  init_args:
    prompt: {{class_path: PromptLearner, init_args: {{num_prefix: 2, num_suffix: 1, too_long: truncate}}}}
    temporal: {{class_path: TemporalEncoder, init_args: {{num_layers: 1, num_heads: 4}}}}
    frozen_share: 0.3
    frozen_templates: video
"""
