package simulator

import "github.com/wastecoach/wastecoach/internal/wasteclass"

// confidence is one modest figure: the simulator knows nothing about how sure it is.
const confidence = 0.8

func box() verdict {
	return verdict{
		Class: wasteclass.Paper, Label: "corrugated_box", Material: "corrugated cardboard",
		Shape: "box", Parts: []part{
			{Name: "tape", Material: "polypropylene", Class: wasteclass.General},
		},
		Confidence: confidence, NameKO: "골판지 상자", NameEN: "Corrugated box",
	}
}

func paper() verdict {
	return verdict{
		Class: wasteclass.Paper, Label: "office_paper", Material: "paper", Shape: "sheet",
		Parts: []part{}, Confidence: confidence, NameKO: "복사용지", NameEN: "Office paper",
	}
}

func can() verdict {
	return verdict{
		Class: wasteclass.Metal, Label: "aluminum_can", Material: "aluminum", Shape: "can",
		Parts: []part{}, Confidence: confidence, NameKO: "알루미늄 캔", NameEN: "Aluminum can",
	}
}

func snackBag() verdict {
	return verdict{
		Class: wasteclass.Vinyl, Label: "snack_bag", Material: "multilayer film", Shape: "bag",
		Parts: []part{}, Confidence: confidence, NameKO: "과자 봉지", NameEN: "Snack bag",
	}
}

func glassBottle() verdict {
	return verdict{
		Class: wasteclass.Glass, Label: "glass_bottle", Material: "glass", Shape: "bottle",
		Parts: []part{
			{Name: "cap", Material: "steel", Class: wasteclass.Metal},
		},
		Confidence: confidence, NameKO: "유리병", NameEN: "Glass bottle",
	}
}

func petBottle() verdict {
	return verdict{
		Class: wasteclass.ClearPET, Label: "clear_pet_bottle", Material: "PET", Shape: "bottle",
		Parts: []part{
			{Name: "label", Material: "film", Class: wasteclass.Vinyl},
			{Name: "cap", Material: "polyethylene", Class: wasteclass.Plastic},
		},
		Confidence: confidence, NameKO: "투명 페트병", NameEN: "Clear PET bottle",
	}
}

func container() verdict {
	return verdict{
		Class: wasteclass.Plastic, Label: "plastic_container", Material: "polypropylene",
		Shape: "container", Parts: []part{}, Confidence: confidence,
		NameKO: "플라스틱 용기", NameEN: "Plastic container",
	}
}
