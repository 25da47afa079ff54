module example.com/app/api

go 1.24
