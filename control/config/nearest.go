package config

import "unicode/utf8"

// didYouMean returns the suggestion of name, or nothing if there is none.
func didYouMean(name string) string {
	if name == "" {
		return ""
	}
	return `did you mean "` + name + `"?`
}

// nearest returns the name that text is most likely a slip for, the first of equals, or "" if
// none is near: at most a third of the longer one's characters may differ.
func nearest(text string, names []string) string {
	best, bestDistance := "", 0
	for _, name := range names {
		longer := max(utf8.RuneCountInString(text), len(name))
		if longer > 64 {
			continue
		}
		d := distance([]rune(text), []rune(name))
		if d <= max(1, longer/3) && d < longer && (best == "" || d < bestDistance) {
			best, bestDistance = name, d
		}
	}
	return best
}

// distance returns the optimal string alignment distance of a and b: the fewest insertions,
// deletions, substitutions and swaps of neighbours that turn one into the other, no part edited
// twice (Damerau and Levenshtein).
func distance(a, b []rune) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, above, twoAbove := rows[i%3], rows[(i+2)%3], rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], twoAbove[j-2]+1)
			}
		}
	}
	return rows[len(a)%3][len(b)]
}
