package localvision_test

import (
	"math"
	"testing"
)

func accuracy(all []seen) float64 {
	right := 0
	for _, s := range all {
		if s.class == s.guess {
			right++
		}
	}
	return float64(right) / float64(max(len(all), 1))
}

// confusion counts by class, then by guess.
func confusion(all []seen, labels int) [][]int {
	matrix := make([][]int, labels)
	for i := range matrix {
		matrix[i] = make([]int, labels)
	}
	for _, s := range all {
		matrix[s.class][s.guess]++
	}
	return matrix
}

func quality(matrix [][]int, class int) (precision, recall float64) {
	taken, are := 0, 0
	for other := range matrix {
		taken += matrix[other][class]
		are += matrix[class][other]
	}
	right := float64(matrix[class][class])
	return right / float64(max(taken, 1)), right / float64(max(are, 1))
}

func macroF1(all []seen, labels int) float64 {
	matrix, sum := confusion(all, labels), 0.0
	for class := range matrix {
		if p, r := quality(matrix, class); p+r > 0 {
			sum += 2 * p * r / (p + r)
		}
	}
	return sum / float64(labels)
}

// bins sorts by confidence, into ten of one width.
func bins(all []seen) [10][]seen {
	var sorted [10][]seen
	for _, s := range all {
		i := min(int(10*s.confidence), 9)
		sorted[i] = append(sorted[i], s)
	}
	return sorted
}

func meanConfidence(all []seen) float64 {
	sum := 0.0
	for _, s := range all {
		sum += s.confidence
	}
	return sum / float64(max(len(all), 1))
}

// calibrationError is the expected one: how far confidence and accuracy are apart, by bin.
func calibrationError(all []seen) float64 {
	sum := 0.0
	for _, bin := range bins(all) {
		sum += float64(len(bin)) * math.Abs(meanConfidence(bin)-accuracy(bin))
	}
	return sum / float64(max(len(all), 1))
}

func TestFigures(t *testing.T) {
	t.Parallel()
	all := []seen{{0, 0, 0.95}, {0, 0, 0.85}, {0, 1, 0.55}, {1, 1, 0.65}, {1, 1, 1}}
	for name, pair := range map[string][2]float64{
		"accuracy": {accuracy(all), 0.8},
		// Class 0: precision 1, recall 2/3. Class 1: precision 2/3, recall 1.
		"macro F1": {macroF1(all, 2), 0.8},
		// Bins: 0.5 (apart 0.55), 0.6 (0.35), 0.8 (0.15), 0.9 (two, mean 0.975: 0.025).
		"ECE": {calibrationError(all), (0.55 + 0.35 + 0.15 + 2*0.025) / 5},
	} {
		if math.Abs(pair[0]-pair[1]) > 1e-9 {
			t.Errorf("%s: got %g, want %g", name, pair[0], pair[1])
		}
	}
}
