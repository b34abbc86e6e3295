"""The image, video and 3D API of document 001, whose host an account names."""
