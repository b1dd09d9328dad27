"""Data sets, the order in which their samples come, and transforms of batches."""

from gpudl.data import readers, transforms
from gpudl.data.collate import default_collate
from gpudl.data.dataset import ArrayDataset, Dataset, Subset, random_split
from gpudl.data.loader import DataLoader
from gpudl.data.readers import open_dataset
from gpudl.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, WeightedRandomSampler

__all__ = [
    "ArrayDataset",
    "BatchSampler",
    "DataLoader",
    "Dataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Subset",
    "WeightedRandomSampler",
    "default_collate",
    "open_dataset",
    "random_split",
    "readers",
    "transforms",
]
