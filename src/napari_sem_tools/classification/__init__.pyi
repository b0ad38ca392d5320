from .embedding import EMBEDDINGS as EMBEDDINGS
from .embedding import Embedding as Embedding
from .embedding import embed as embed
from .embedding import embedding_row as embedding_row
from .field import texture_field as texture_field
