//go:build tools

// Package kube names the programs that this module exists to build, so that `go mod tidy` keeps them.
package kube

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kubectl"
)
