"""A recognizer whose classifiers come from a label graph with edges."""

from dataclasses import replace

import torch
from channels import channels_model
from tiny import label_space, tiny_system

from tagsight.inference.networks.trained import TrainedNetwork
from tagsight.inference.recognizer import Recognizer
from tagsight.runtime.device import Runtime


def gcam_recognizer() -> Recognizer:
    labels = label_space()
    model = replace(channels_model(tiny_system("gcam"), names=labels.names), labels=labels)
    return Recognizer(TrainedNetwork(model, Runtime(torch.device("cpu"), "float32")))
