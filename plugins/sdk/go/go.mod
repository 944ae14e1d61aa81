module caplet

go 1.24
