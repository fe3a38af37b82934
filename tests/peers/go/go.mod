module example.invalid/requests

go 1.19
