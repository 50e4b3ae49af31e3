"""Watch folders as requests see them: folders, their files, the service and its status."""
