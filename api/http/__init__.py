"""What every route needs: endpoints, bodies read, errors, keys, paths. Knows no feature."""
