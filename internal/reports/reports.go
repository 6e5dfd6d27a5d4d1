package reports

// Reporter is a placeholder until the store is there.
type Reporter struct{}
