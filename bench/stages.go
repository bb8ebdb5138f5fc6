package bench

// Stages of `weir bench pipeline`.
const (
	StageWorker = "worker" // rings, decoding, counting, hints and samples
	StageRing   = "ring"   // receiving and refilling alone: no frame is looked at
)

// PipelineStages returns the stages in their order.
func PipelineStages() []string { return []string{StageWorker, StageRing} }

// ring takes one burst and gives its frames back.
func (p *pipeline) ring() (int, error) {
	q := p.kernel.Queue()
	n, err := q.Poll(&p.batch)
	q.Release(&p.batch)
	return n, err
}
