package locations

import "testing"

func TestLinks(t *testing.T) {
	t.Parallel()
	links := linksOf(&Point{Name: "주민센터 3/4층, 정문 #2", Lat: 37.5, Lng: 127.0123})
	const (
		kakao = "https://map.kakao.com/link/map/" +
			"%EC%A3%BC%EB%AF%BC%EC%84%BC%ED%84%B0%203%204%EC%B8%B5%20%20%EC%A0%95%EB%AC%B8%20%232,37.5,127.0123"
		naver = "https://map.naver.com/?lat=37.5&lng=127.0123&title=" +
			"%EC%A3%BC%EB%AF%BC%EC%84%BC%ED%84%B0+3%2F4%EC%B8%B5%2C+%EC%A0%95%EB%AC%B8+%232"
	)
	if links.Kakao != kakao || links.Naver != naver {
		t.Errorf("links %s\n%s", links.Kakao, links.Naver)
	}
}
