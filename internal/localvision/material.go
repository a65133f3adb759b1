package localvision

import "github.com/wastecoach/wastecoach/internal/wasteclass"

// material is a label in the rule base's terms.
type material struct {
	class          wasteclass.Class
	nameKO, nameEN string
}

// materials are the labels of TrashNet. The rule base knows each of them as a word for an item of
// its class.
var materials = map[string]material{
	"cardboard": {wasteclass.Paper, "골판지", "Cardboard"},
	"glass":     {wasteclass.Glass, "유리", "Glass"},
	"metal":     {wasteclass.Metal, "금속", "Metal"},
	"paper":     {wasteclass.Paper, "종이", "Paper"},
	"plastic":   {wasteclass.Plastic, "플라스틱", "Plastic"},
	"trash":     {wasteclass.General, "일반쓰레기", "General waste"},
}
