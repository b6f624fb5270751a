@kubectl-argo_gc.exe __complete %* 2>nul
