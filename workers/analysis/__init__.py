"""Analysis of one MediaFile: decode once, feed every stage, publish."""
