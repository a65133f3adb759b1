module wastecoach.io/bundle/pause

go 1.26.0
