module example.org/app/api

go 1.22
