"""What a media file says about itself."""
