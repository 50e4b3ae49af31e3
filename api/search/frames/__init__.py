"""Search in pictures: merged arrays of embeddings, scores, ranking, previews."""
