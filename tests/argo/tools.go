//go:build tools

// Package argo names the program that this module exists to build, so that `go mod tidy` keeps it.
package argo

import (
	_ "github.com/argoproj/argo-workflows/v4/cmd/workflow-controller"
)
