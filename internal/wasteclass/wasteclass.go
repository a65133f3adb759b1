// Package wasteclass names the classes of the Korean separate-collection guideline.
package wasteclass

// Class is one class of waste, the vocabulary that vision, rules and collection points share.
type Class string

// The classes in the order of the national guideline.
const (
	Paper          Class = "paper"
	PaperPack      Class = "paper_pack"
	ClearPET       Class = "clear_pet"
	Plastic        Class = "plastic"
	Vinyl          Class = "vinyl"
	EPS            Class = "eps"
	Glass          Class = "glass"
	Metal          Class = "metal"
	Clothing       Class = "clothing"
	Battery        Class = "battery"
	Lamp           Class = "lamp"
	Appliance      Class = "appliance"
	General        Class = "general"
	NonCombustible Class = "non_combustible"
	Food           Class = "food"
	Construction   Class = "construction"
	Bulky          Class = "bulky"
)

// All lists every class in the order of the national guideline.
func All() []Class {
	return []Class{
		Paper, PaperPack, ClearPET, Plastic, Vinyl, EPS, Glass, Metal, Clothing, Battery, Lamp,
		Appliance, General, NonCombustible, Food, Construction, Bulky,
	}
}

// Valid tells whether c is one of All.
func (c Class) Valid() bool {
	for _, known := range All() {
		if c == known {
			return true
		}
	}
	return false
}
