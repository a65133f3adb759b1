package cli

import "charm.land/lipgloss/v2"

// theme styles text; the plain one leaves it alone.
type theme struct{ title, heading, faint, warning, bad func(...string) string }

// newTheme uses the terminal's own 16 colors, which follow its background.
func newTheme(colored bool) theme {
	if !colored {
		plain := asIs
		return theme{plain, plain, plain, plain, plain}
	}
	style := lipgloss.NewStyle()
	return theme{
		title:   style.Bold(true).Render,
		heading: style.Foreground(lipgloss.Color("6")).Render,
		faint:   style.Faint(true).Render,
		warning: style.Bold(true).Foreground(lipgloss.Color("3")).Render,
		bad:     style.Bold(true).Foreground(lipgloss.Color("1")).Render,
	}
}
