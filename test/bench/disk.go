package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// flushRate appends 4 KiB and flushes, on the given number of files at once, for a second and a half.
func flushRate(dir string, files int) (float64, error) {
	const span = 1500 * time.Millisecond
	block := make([]byte, 4096)
	counts := make([]int, files)
	errs := make([]error, files)
	var wg sync.WaitGroup
	start := time.Now()
	for i := range files {
		wg.Go(func() {
			f, err := os.Create(filepath.Join(dir, fmt.Sprintf("flush-%d", i)))
			if err != nil {
				errs[i] = err
				return
			}
			defer os.Remove(f.Name())
			defer f.Close()
			for time.Since(start) < span {
				if _, err := f.Write(block); err != nil {
					errs[i] = err
					return
				}
				if err := syscall.Fdatasync(int(f.Fd())); err != nil {
					errs[i] = err
					return
				}
				counts[i]++
			}
		})
	}
	wg.Wait()
	total := 0
	for i := range files {
		if errs[i] != nil {
			return 0, errs[i]
		}
		total += counts[i]
	}
	return float64(total) / time.Since(start).Seconds(), nil
}

// diskUsed is the space that the tree below dir takes on its disk.
func diskUsed(dir string) (int64, error) {
	var total int64
	err := filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			total += st.Blocks * 512
		}
		return nil
	})
	return total, err
}
