//go:build !unix

package main

func crash() {}
