"""Looking into media folders, and what an analysis of them would cost."""
