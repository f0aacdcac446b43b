# The public names, and where each lives: type checkers and `lazy_loader` read this list.
from . import metrics as metrics
from .checkpoint.decision import Decision as Decision
from .checkpoint.folder import LoadedModel as LoadedModel
from .checkpoint.released.convert import convert as convert
from .config import Recipe as Recipe
from .config import SystemConfig as SystemConfig
from .config import TrainConfig as TrainConfig
from .data.annotations import Annotations as Annotations
from .data.format import ReadOptions as ReadOptions
from .data.protocols import read_protocol as read_protocol

from .data.readers import read_annotations as read_annotations
from .errors import DataError as DataError
from .experiments.compare import Comparison as Comparison
from .experiments.compare import compare as compare
from .inference.export import export as export
from .inference.heatmaps import overlay as overlay
from .inference.recognizer import Recognizer as Recognizer
from .inference.recognizer import load as load
from .inference.result import Label as Label
from .inference.result import Result as Result
from .inference.run import Run as Run
from .labels.space import LabelSpace as LabelSpace
from .nn.encoder_list import encoders as encoders
from .runtime.device import Runtime as Runtime
from .search.collection import index as index
from .search.collection import search as search
from .systems.base import Recognition as Recognition
from .systems.base import System as System
from .systems.catalogue import build_system as build_system
from .systems.catalogue import register as register
from .systems.listings import recipes as recipes
from .systems.listings import systems as systems
from .tagging.tagging import tag_photos as tag_photos
from .visualize.explanation import explain as explain
from .visualize.explanation import explain_photos as explain_photos
from .visualize.graph_report import label_graph as label_graph
from .workflows import calibrate as calibrate
from .workflows import evaluate as evaluate
from .workflows import train as train

__version__: str
