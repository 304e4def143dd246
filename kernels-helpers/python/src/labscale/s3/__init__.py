"""The S3 client of `labscale.transfer`, for MinIO and any other S3: the standard library only."""
