"""Weights of models: fetched, checked, converted, put in place whole."""
