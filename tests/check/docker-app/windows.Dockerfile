# escape=`
FROM mcr.microsoft.com/windows/servercore:ltsc2022
WORKDIR C:\src
COPY . .
RUN go build -o C:\app.exe `
    .\cmd\app
