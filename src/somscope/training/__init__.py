"""The one training loop: phases of tasks on data, with device, precision, processes, checkpoints and logs."""

from somscope.training.engine import Engine
from somscope.training.fabric import agreed
from somscope.training.feed import Feed
from somscope.training.loggers import Logger, TensorBoardLogger, WandbLogger
from somscope.training.loop import train
from somscope.training.options import Trained, TrainingOptions
from somscope.training.saver import stored_seed
from somscope.training.schedule import Schedule, cosine, staircase
from somscope.training.task import Batch, Phase, Task, adam
from somscope.training.trial import seconds_of_a_step

__all__ = [
    "Batch",
    "Engine",
    "Feed",
    "Logger",
    "Phase",
    "Schedule",
    "Task",
    "TensorBoardLogger",
    "Trained",
    "TrainingOptions",
    "WandbLogger",
    "adam",
    "agreed",
    "cosine",
    "seconds_of_a_step",
    "staircase",
    "stored_seed",
    "train",
]
