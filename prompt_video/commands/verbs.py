"""The verbs: where each is, and what it does in one line."""

VERBS = {
    "fit": ("prompt_video.commands.run", "train an experiment, then test its best checkpoint"),
    "validate": ("prompt_video.commands.run", "score a checkpoint on the validation split"),
    "test": ("prompt_video.commands.run", "score a checkpoint on the test split"),
    "predict": ("prompt_video.commands.predict", "what a trained model finds in new videos, or in its test"),
    "list": ("prompt_video.commands.list", "experiments, methods, data sets and all else with a name"),
    "copy": ("prompt_video.commands.copy", "an experiment as a file of one's own, to edit"),
    "teach": ("prompt_video.commands.teach", "a few clips of each of your actions in, a model of them out"),
    "label": ("prompt_video.commands.label", "what is to be seen in your own videos, in your own words"),
    "segment": ("prompt_video.commands.segment", "what happens when in your own long videos"),
    "watch": ("prompt_video.commands.watch", "what a camera or a stream shows, second by second"),
    "calibrate": ("prompt_video.commands.calibrate", "teach a checkpoint when a video shows none of its classes"),
    "serve": ("prompt_video.commands.serve", "a page in the browser: your own video, your own words"),
    "features": ("prompt_video.commands.features", "compute an experiment's frame features, and stop"),
    "index": ("prompt_video.commands.index", "embed a folder of videos, to search in it"),
    "search": ("prompt_video.commands.search", "the moments of indexed videos that fit a text best"),
    "doctor": ("prompt_video.commands.doctor", "check all that an experiment will use, before it runs"),
    "plan": ("prompt_video.commands.plan", "what an experiment's features will cost: hours, gigabytes"),
    "dry-run": ("prompt_video.commands.dry_run", "run an experiment on a made-up miniature of its data"),
    "import-features": ("prompt_video.commands.import_features", "frame features of others become a feature store"),
    "score-detections": ("prompt_video.commands.score_detections", "mAP, AR@N and AUC of anyone's detections"),
    "score-retrieval": (
        "prompt_video.commands.score_retrieval",
        "recall and ranks of anyone's scores, in both directions",
    ),
    "report": ("prompt_video.commands.report", "runs side by side, published figures beside them"),
    "dashboard": ("prompt_video.commands.dashboard", "lay out an experiment's wandb workspace"),
    "table": ("prompt_video.commands.table", "run all rows of a table, such as the paper's, and write it"),
    "sweep": ("prompt_video.commands.sweep", "run every point of a wandb sweep file on this machine"),
    "export": ("prompt_video.commands.export", "a trained model as ONNX, or as a folder for the hub"),
    "demo": ("prompt_video.commands.demo", "the whole method on the built-in worlds, in a minute or two"),
    "bench": ("prompt_video.commands.bench", "measure the speed and the memory of every part"),
    "completion": ("prompt_video.commands.completion", "what a shell completes after `prompt-video`"),
    "import-official": ("prompt_video.commands.import_official", "convert a checkpoint released with the paper"),
}

RENAMED = {"rehearse": "dry-run", "train": "fit", "evaluate": "test"}  # verbs of make, and an old one

# In the order in which a newcomer meets them.
GROUPS = {
    "to begin with": ("demo", "list", "completion"),
    "your own videos, your own words": ("teach", "label", "segment", "watch", "calibrate", "index", "search", "serve"),
    "experiments": ("copy", "doctor", "plan", "dry-run", "features", "fit", "validate", "test", "predict"),
    "many runs": ("table", "sweep", "report", "dashboard"),
    "other programs": ("export", "import-features", "import-official", "score-detections", "score-retrieval", "bench"),
}
